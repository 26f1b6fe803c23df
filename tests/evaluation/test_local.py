"""Models on this machine: T5-shaped, Llama-shaped and a LoRA adapter; neither padding nor a stop changes a text."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.evaluate import evaluate
from dynosaur_core.evaluation.generators.local import LocalGenerator, load, open_local
from dynosaur_core.settings import Settings
from tests.evaluation.conftest import ANIMALS, evaluated, files, predictions

PROMPTS = [f"Name the animal of kind {at}: {'word1 ' * (at * 3)}{animal}" for at, animal in enumerate(ANIMALS)]


def texts(generator: LocalGenerator, prompts: list[str] = PROMPTS) -> list[str]:
    found = {each.place: each.text for each in generator.generate(prompts)}
    return [found[place] for place in range(len(prompts))]


def test_generate_is_the_same_alone_and_in_a_batch(folder: Path) -> None:
    alone = texts(open_local(str(folder), 12, 1, "auto"))
    assert texts(open_local(str(folder), 12, 8, "auto")) == texts(open_local(str(folder), 12, 3, "auto")) == alone
    assert len(set(alone)) > 5, "texts that differ, or the test shows nothing"


def test_generate_in_bfloat16_loads_the_weights_so_and_is_another_model(folder: Path) -> None:
    import torch

    model, _ = load(str(folder), "bfloat16")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    whole, half = (open_local(str(folder), 12, 8, dtype) for dtype in ("float32", "bfloat16"))
    assert whole.digest == open_local(str(folder), 12, 8, "auto").digest != half.digest
    assert len(set(texts(half))) > 5


def test_generate_is_what_the_model_does_word_for_word(folder: Path) -> None:
    """Greedy decoding by hand, without cache, padding or `generate`."""
    import torch

    model, tokenizer = load(str(folder), "float32")
    expected = []
    for prompt in PROMPTS:
        given = tokenizer(prompt, return_tensors="pt")["input_ids"]
        seq2seq = model.config.is_encoder_decoder
        written = torch.tensor([[0]]) if seq2seq else given
        for _ in range(9):
            with torch.inference_mode():
                out = model(input_ids=given, decoder_input_ids=written) if seq2seq else model(input_ids=written)
            word = out.logits[0, -1].argmax().reshape(1, 1)
            written = torch.cat([written, word], dim=1)
            if word.item() == tokenizer.eos_token_id:
                break
        own = written[0] if seq2seq else written[0, given.shape[1] :]
        expected.append(tokenizer.decode(own, skip_special_tokens=True).strip())
    assert texts(open_local(str(folder), 9, 4, "auto")) == expected


def test_generate_makes_the_same_batches_whatever_is_done(folder: Path) -> None:
    whole = texts(open_local(str(folder), 6, 3, "auto"))
    rest = list(open_local(str(folder), 6, 3, "auto").generate(PROMPTS, frozenset({0, 4, 9})))
    assert {each.place: each.text for each in rest} == {
        at: text for at, text in enumerate(whole) if at not in (0, 4, 9)
    }
    assert list(open_local(str(folder), 6, 3, "auto").generate(PROMPTS, frozenset(range(10)))) == []


def test_evaluate_a_local_model_cut_off_goes_on(folder: Path, suite: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"model": str(folder), "new_tokens": 6, "batch": 4}
    whole = evaluated(tmp_path, suite, out=str(tmp_path / "whole"), **given)
    assert whole.instances == 30 and whole.usage is None and whole.rouge_l > 0, "some name the animal by chance"

    def stop(done: int, _total: int) -> None:
        if done == 14:  # in the middle of a batch
            raise KeyboardInterrupt

    choice = EvaluationChoice(suite=str(suite), out=str(tmp_path / "out"), seed=3, **given)
    with pytest.raises(KeyboardInterrupt):
        evaluate(choice, Settings(), progress=stop)
    [part] = (tmp_path / "out").glob("*.part.jsonl")
    assert len(part.read_text().splitlines()) == 14
    evaluated(tmp_path, suite, **given)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert len({row["prediction"] for row in predictions(tmp_path / "out")}) > 5


def test_a_model_is_named_by_its_content(folder: Path, tmp_path: Path) -> None:
    import shutil

    same = tmp_path / "moved"
    shutil.copytree(folder, same)
    (same / "README.md").write_text("a card")
    digest = open_local(str(folder), 12, 8, "auto").digest
    assert open_local(str(same), 12, 1, "auto").digest == digest != open_local(str(same), 13, 1, "auto").digest
    weights = same / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert open_local(str(same), 12, 8, "auto").digest != digest


def test_an_adapter_is_loaded_onto_its_model(folder: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    import torch

    torch.manual_seed(1)
    model, tokenizer = load(str(folder), "float32")
    target = "q" if model.config.is_encoder_decoder else "q_proj"
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=[target], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "lora")
    expected = texts(LocalGenerator("", "", lambda: (adapted, tokenizer), 8, 4))
    assert (
        texts(open_local(str(tmp_path / "lora"), 8, 4, "auto"))
        == expected
        != texts(open_local(str(folder), 8, 4, "auto"))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)  # a person can do nothing about what libraries plan
        load(str(tmp_path / "lora"), "float32")
    config = tmp_path / "lora/adapter_config.json"
    config.write_text("{}")
    with pytest.raises(DynosaurError, match="does not name the model that it adapts"):
        open_local(str(tmp_path / "lora"), 8, 4, "auto")


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DynosaurError, match="there is no such folder") as caught:
        open_local("nobody/nothing/of the kind", 8, 4, "auto")
    assert caught.value.code is Code.BAD_SETTING
    with pytest.raises(DynosaurError, match="cannot be loaded") as caught:
        open_local(str(tmp_path / "empty"), 8, 4, "auto").count("x")
    assert caught.value.code is Code.BAD_SETTING
