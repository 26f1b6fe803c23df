"""training.finetune: models really learn, a killed training goes on as if nothing had been, and what is refused."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from PIL import Image

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.evaluate import evaluate
from dynosaur_core.evaluation.prompts import prompt
from dynosaur_core.evaluation.report import EvaluationSummary
from dynosaur_core.settings import Settings
from tests.training import processes
from tests.training.conftest import CAPITALS, INSTRUCTION, ROWS, make_llama, write
from tests.training.processes import start, train_until_killed

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from dynosaur_core.training.choice import FinetuneChoice  # noqa: E402
from dynosaur_core.training.finetune import FinetuneSummary, finetune  # noqa: E402
from dynosaur_core.training.manifest import prompt_of, read_manifest, write_manifest  # noqa: E402
from dynosaur_core.training.metrics import read_metrics  # noqa: E402

VALUES: dict[str, Any] = {
    "prompt": "plain",
    "batch": 10,
    "micro_batch": 10,
    "learning_rate": 1e-2,
    "schedule": "constant",
    "epochs": 35,
    "length": 64,
    "output_length": 16,
}
pytestmark = pytest.mark.xdist_group("training")  # one process loads the libraries


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small products take longest where threads share them; and a sum's order is that of its threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(data: Path, out: Path, model: Path, save_steps: int = 1_000, **values: Any) -> FinetuneSummary:
    return finetune(choice(data, out, model, save_steps, **values))


def choice(data: Path, out: Path, model: Path, save_steps: int = 1_000, **values: Any) -> FinetuneChoice:
    given = {**VALUES, "model": str(model), **values}
    return FinetuneChoice(data=str(data), out=str(out), recipe="t5-small", values=given, save_steps=save_steps)


def answers(model: Path) -> dict[str, str]:
    """What the model of a finished training says to each land."""
    from dynosaur_core.training.models import load_model, load_tokenizer

    found, tokenizer = load_model(str(model)), load_tokenizer(str(model))
    said = {}
    for land in CAPITALS:
        given = tokenizer([prompt("plain", INSTRUCTION, land)], return_tensors="pt")
        written = found.generate(
            input_ids=given.input_ids, attention_mask=given.attention_mask, max_new_tokens=8, do_sample=False
        )[0]
        if not found.config.is_encoder_decoder:
            written = written[given.input_ids.shape[1] :]
        said[land] = tokenizer.decode(written, skip_special_tokens=True)
    return said


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.*") if path.is_file()}


@pytest.fixture(scope="module")
def trained(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal model that has learnt the capitals."""
    folder = tmp_path_factory.mktemp("trained")
    train(write(folder / "rows.jsonl", ROWS), folder / "out", llama)
    return folder / "out"


def test_finetune_teaches_a_model_with_an_encoder(t5: Path, rows: Path, tmp_path: Path) -> None:
    summary = train(rows, tmp_path / "out", t5)
    assert summary.changed and (summary.rows, summary.cut, summary.left_out, summary.steps) == (20, 0, {}, 70)
    assert summary.last_loss < summary.first_loss / 10
    assert answers(tmp_path / "out") == CAPITALS


def test_finetune_teaches_a_causal_model_and_leaves_a_record(trained: Path) -> None:
    assert answers(trained) == CAPITALS
    made = read_manifest(trained)
    assert made.state == "finished" and made.ended is not None and made.ended.last_loss < made.ended.first_loss / 10
    assert {path.name for path in trained.iterdir()} == {"training.json", "metrics.jsonl", "model", "loss.png", ".lock"}
    assert {path.suffix for path in (trained / "model").iterdir()} == {".json", ".safetensors"}
    lines = read_metrics(trained)
    assert [line.step for line in lines] == list(range(1, 71)) and lines[-1].tokens == 35 * made.rows.tokens
    assert all(before.seconds <= after.seconds for before, after in pairwise(lines))
    with Image.open(trained / "loss.png") as picture:
        assert picture.format == "PNG" and picture.size[0] > 600


def test_finetune_again_changes_nothing(trained: Path, llama: Path) -> None:
    before = files(trained)
    again = train(trained.parent / "rows.jsonl", trained, llama)
    assert not again.changed and "was trained already" in again.sentence() and files(trained) == before


def test_evaluate_asks_with_the_prompt_of_the_training(trained: Path, tmp_path: Path) -> None:
    def evaluated(name: str, **given: Any) -> EvaluationSummary:
        suite, out = str(trained.parent / "rows.jsonl"), str(tmp_path / name)
        return evaluate(EvaluationChoice(model=str(trained), suite=suite, out=out, new_tokens=8, **given), Settings())

    own, other = evaluated("own"), evaluated("other", prompt="tk-instruct")
    assert (own.prompt, own.exact_match, other.prompt) == ("plain", 100.0, "tk-instruct")
    assert own.sentence().endswith(", prompt plain") and "prompt = plain" in (tmp_path / "own/README.md").read_text()
    assert prompt_of(str(trained / "model")) == prompt_of(str(trained)) == "plain"
    made = read_manifest(trained)
    later = made.model_copy(update={"recipe": {**made.recipe, "prompt": "chatty"}})
    (tmp_path / "later").mkdir()
    write_manifest(tmp_path / "later", later)
    with pytest.raises(DynosaurError, match="trained with a prompt that this version of Dynosaur lacks, chatty"):
        prompt_of(str(tmp_path / "later"))


def test_finetune_with_an_adapter_trains_it_alone(trained: Path, tmp_path: Path) -> None:
    """A second stage, and a third that goes on with the second's adapter."""
    from safetensors.torch import load_file

    moved = dict(zip(CAPITALS, reversed(CAPITALS.values()), strict=True))
    data = [{"instruction": INSTRUCTION, "input": land, "output": city} for land, city in moved.items()] * 4
    rows = write(tmp_path / "moved.jsonl", data)
    adapter = {"lora_rank": 8, "lora_alpha": 32, "epochs": 60}
    weights = files(trained)
    summary = train(rows, tmp_path / "second", trained, **adapter)
    assert answers(tmp_path / "second") == moved and answers(trained) == CAPITALS and files(trained) == weights
    kept = load_file(tmp_path / "second/model/adapter_model.safetensors")
    assert summary.trained_weights == sum(weight.numel() for weight in kept.values())
    assert all("lora_" in name for name in kept)

    third = train(write(tmp_path / "rows.jsonl", ROWS), tmp_path / "third", tmp_path / "second", **adapter)
    assert answers(tmp_path / "third") == CAPITALS and third.trained_weights == summary.trained_weights
    bases = {
        json.loads((tmp_path / name / "model/adapter_config.json").read_bytes())["base_model_name_or_path"]
        for name in ("second", "third")
    }
    assert bases == {str(trained / "model")}
    other = {**adapter, "lora_rank": 4, "max_steps": 1}
    train(rows, tmp_path / "fourth", tmp_path / "second", **other)
    assert answers(tmp_path / "fourth") != {} and len(list((tmp_path / "fourth/model").glob("adapter*"))) == 2


@pytest.mark.parametrize("steps", [1, 3])
def test_few_steps_all_learn_and_the_rows_that_were_seen_are_told(
    t5: Path, rows: Path, tmp_path: Path, steps: int
) -> None:
    done = train(rows, tmp_path / "out", t5, batch=2, max_steps=steps, schedule="linear", warmup=0.03)
    assert all(line.learning_rate > 0 for line in read_metrics(tmp_path / "out"))
    assert (done.seen, done.rows) == (
        2 * steps,
        len(ROWS),
    ) and f"over {2 * steps} of {len(ROWS)} rows" in done.sentence()


def test_training_that_is_all_warm_up_is_said_to_hardly_learn(
    t5: Path, rows: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = train(rows, tmp_path / "out", t5, max_steps=2, warmup=2)
    assert "all 2 steps are of the warm-up (2), and hardly learn: give a shorter one with --warmup" in caplog.messages
    assert done.seen == done.rows == len(ROWS)


def test_loss_is_of_the_output_alone_over_the_whole_batch() -> None:
    from dynosaur_core.training.loop import _loss

    torch.manual_seed(0)
    logits, labels = torch.randn(2, 5, 7), torch.tensor([[-100, -100, 3, 1, -100], [-100, 2, -100, -100, -100]])
    outputs = type("Outputs", (), {"logits": logits})
    loss = _loss(causal=True)(outputs, labels, num_items_in_batch=torch.tensor(6))
    expected = -sum(
        torch.log_softmax(logits[row, at - 1], dim=-1)[labels[row, at]] for row, at in ((0, 2), (0, 3), (1, 1))
    )
    assert torch.allclose(loss, expected / 6)
    logits[:, 3:] += torch.randn(2, 2, 7)  # what a prompt's or a padding position predicts
    logits[0, 0], logits[1, 1:] = 5.0, torch.randn(4, 7)
    assert torch.allclose(_loss(causal=True)(outputs, labels, num_items_in_batch=torch.tensor(6)), loss)


def test_loss_does_not_depend_on_how_a_batch_is_shared(t5: Path, rows: Path, tmp_path: Path) -> None:
    uneven = [{**row, "output": f"{row['output']} " * (1 + at % 3)} for at, row in enumerate(ROWS)]
    data = write(tmp_path / "uneven.jsonl", uneven)
    for size in (10, 1):
        train(data, tmp_path / f"by{size}", t5, micro_batch=size, max_steps=3, output_length=32)
    one, many = (read_metrics(tmp_path / f"by{size}") for size in (10, 1))
    assert [line.loss for line in one] == pytest.approx([line.loss for line in many], rel=1e-3)


@pytest.mark.parametrize("adapter", [{}, {"lora_rank": 4, "lora_dropout": 0.3, "seed": 5}], ids=["all", "adapter"])
def test_finetune_killed_and_resumed_is_as_undisturbed(
    rows: Path, tmp_path: Path, adapter: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The same losses, learning rates, order of rows, dropout and weights."""
    model = make_llama(tmp_path / "model", dropout=0.2)
    values = {**adapter, "schedule": "linear", "warmup": 5, "batch": 6, "micro_batch": 3, "max_steps": 24}
    whole = train(rows, tmp_path / "whole", model, **values)
    cut = choice(rows, tmp_path / "cut", model, 5, **values)
    process = start(train_until_killed, cut, {})
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(read_metrics(tmp_path / "cut")) == 15 and (tmp_path / "cut/checkpoints/checkpoint-15").exists()
    for config in (tmp_path / "cut/checkpoints").glob("*/adapter_config.json"):  # whose name would be looked up
        assert json.loads(config.read_bytes())["base_model_name_or_path"] is None
    with pytest.raises(DynosaurError, match="a training that has not ended"):
        train(rows, tmp_path / "next", tmp_path / "cut")
    other = {**values, "learning_rate": 1e-3}
    with pytest.raises(DynosaurError, match="a training with another learning_rate: give another --out"):
        train(rows, tmp_path / "cut", model, 5, **other)
    with caplog.at_level("INFO", "dynosaur.training"):
        resumed = finetune(cut)
    assert "goes on from step 10 (checkpoint-10)" in caplog.messages
    assert (resumed.steps, resumed.first_loss, resumed.last_loss) == (24, whole.first_loss, whole.last_loss)
    curves = [
        [(line.step, line.epoch, line.loss, line.learning_rate, line.tokens) for line in read_metrics(tmp_path / name)]
        for name in ("whole", "cut")
    ]
    assert curves[0] == curves[1] and len(curves[0]) == 24
    weights = [sorted((tmp_path / name / "model").glob("*.safetensors"))[0].read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]


def test_finetune_refuses_another_training_in_its_folder(trained: Path, llama: Path, t5: Path, tmp_path: Path) -> None:
    rows, before = trained.parent / "rows.jsonl", files(trained)
    for values, words in (({"seed": 1}, "another seed"), ({"batch": 20, "length": 32}, "another batch, length")):
        with pytest.raises(DynosaurError, match=words) as caught:
            train(rows, trained, llama, **values)
        assert caught.value.code is Code.BAD_SETTING
    with pytest.raises(DynosaurError, match="another model"):
        train(rows, trained, t5)
    with pytest.raises(DynosaurError, match="another data"):
        train(write(tmp_path / "other.jsonl", ROWS[:9]), trained, llama)
    assert files(trained) == before


def test_finetune_refuses_a_folder_that_is_not_its_own(rows: Path, llama: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    with pytest.raises(DynosaurError, match=r"holds files and no training\.json"):
        train(rows, tmp_path / "mine", llama)
    assert [path.name for path in (tmp_path / "mine").iterdir() if path.name != ".lock"] == ["thesis.txt"]
    with pytest.raises(DynosaurError, match="cannot be written"):
        train(rows, tmp_path / "mine/thesis.txt", llama)
    (tmp_path / "busy").mkdir()
    with FileLock(tmp_path / "busy/.lock"), pytest.raises(DynosaurError, match="another process trains in"):
        train(rows, tmp_path / "busy", llama)
    with pytest.raises(DynosaurError, match="needs a folder of this machine"):
        finetune(FinetuneChoice(data=str(rows), out="s3://bucket/out"))


def test_finetune_refuses_a_model_that_is_none(rows: Path, llama: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DynosaurError, match=r"model .* cannot be loaded: "):
        train(rows, tmp_path / "a", tmp_path / "empty")
    (tmp_path / "empty/config.json").write_text("{}")
    with pytest.raises(DynosaurError, match=r"model .* cannot be loaded: "):
        train(rows, tmp_path / "a", tmp_path / "empty")
    assert not (tmp_path / "a").exists()
    with pytest.raises(DynosaurError, match="there is no such folder"):
        train(rows, tmp_path / "b", tmp_path / "nowhere")
    with pytest.raises(DynosaurError, match="--lora-targets nope: "):
        train(rows, tmp_path / "c", llama, lora_rank=2, lora_targets="nope")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text("{}")
    with pytest.raises(DynosaurError, match="does not name the model that it adapts"):
        train(rows, tmp_path / "d", tmp_path / "adapter")


def test_finetune_never_runs_code_of_a_model(rows: Path, llama: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(llama, tmp_path / "strange")
    config = json.loads((llama / "config.json").read_bytes())
    named = {"AutoConfig": "strange.Config", "AutoModelForCausalLM": "strange.Model"}
    (tmp_path / "strange/config.json").write_text(json.dumps({**config, "model_type": "strange", "auto_map": named}))
    (tmp_path / "strange/strange.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(DynosaurError, match=r"model .* cannot be loaded: "):
        train(rows, tmp_path / "out", tmp_path / "strange")
    assert not (tmp_path / "ran").exists()


def test_finetune_stops_where_the_loss_is_no_number(rows: Path, llama: Path, tmp_path: Path) -> None:
    with pytest.raises(DynosaurError, match=r"the loss of step \d+ is no number: lower --learning-rate"):
        train(rows, tmp_path / "out", llama, learning_rate=1e30, clip=0)


def test_finetune_on_two_processes_is_as_on_one(rows: Path, llama: Path, tmp_path: Path) -> None:
    """By the variables that `accelerate launch` sets: the same global batches in the same order."""
    values = {"max_steps": 6, "micro_batch": 5}
    train(rows, tmp_path / "one", llama, **values)
    two = choice(rows, tmp_path / "two", llama, 4, **values)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true"}
    started = [start(processes.train, two, {**shared, "RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")]
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0]
    one, both = read_metrics(tmp_path / "one"), read_metrics(tmp_path / "two")
    assert [line.loss for line in both] == pytest.approx([line.loss for line in one], rel=1e-3)
    assert [line.tokens for line in both] == [line.tokens for line in one]
