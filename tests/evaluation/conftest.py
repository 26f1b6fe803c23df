"""A suite of three tasks, a model behind a loopback endpoint, and tiny models made from a configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.clients import close_clients
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.evaluate import evaluate
from dynosaur_core.evaluation.report import EvaluationSummary
from dynosaur_core.settings import Settings
from tests.support.llm import Asked, Behaviour, LlmServer

ANIMALS = ("cat", "dog", "cow", "hen", "pig", "owl", "bee", "fox", "ant", "emu")
Task = dict[str, Any]


def task(number: int, instances: int = len(ANIMALS), category: str = "Naming") -> Task:
    """A task of Super-NI: the input names an animal among other words, and the answer is the animal."""
    words = " ".join(f"word{at}" for at in range(number * 3))
    return {
        "Definition": [f"Name the animal of kind {number}."],
        "Categories": [category],
        "Positive Examples": [{"input": f"one {animal}", "output": animal, "explanation": "x"} for animal in ANIMALS],
        "Instances": [
            {"id": f"task{number}-{at}", "input": f"{words} {animal} {at}".strip(), "output": [animal, f"a {animal}"]}
            for at, animal in zip(range(instances), ANIMALS * (instances // len(ANIMALS) + 1), strict=False)
        ],
    }


def lines(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Three tasks as lines."""
    tasks = [{"Task": f"task{at}_animal", **task(at, category=f"Kind {at % 2}")} for at in range(3)]
    return lines(tmp_path / "suite.jsonl", tasks)


def animal(asked: Asked) -> str:
    """Names the animal of every question, but one: of pigs it says that they are cats."""
    question = asked.messages[-1]["content"].rpartition("Input:")[2].split()
    found = next((word for word in question if word in ANIMALS), "none")
    return {"pig": "Cats!"}.get(found, f"<think>hm</think> A {found.upper()}.\nAnd more")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    with LlmServer(Behaviour(answerer=animal)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-secret")
        yield server
    close_clients()


def evaluated(tmp_path: Path, suite: Path | str, store: str = "store", **choice: Any) -> EvaluationSummary:
    given = {"model": "endpoint:loopback", "suite": str(suite), "out": str(tmp_path / "out"), "seed": 3, **choice}
    return evaluate(EvaluationChoice(**given), Settings(store=str(tmp_path / store)))


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def predictions(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Of the words of the suite, each a token."""
    tokenizers, transformers = pytest.importorskip("tokenizers"), pytest.importorskip("transformers")
    words = [
        "<pad>",
        "</s>",
        "<unk>",
        *ANIMALS,
        *["Name", "the", "animal", "of", "kind", "Definition", "Now", "complete", "Input", "Output"],
    ]
    words += [*map(str, range(10)), *(f"word{at}" for at in range(6)), ".", ":", "-", "example", "following"]
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture(scope="session", params=["t5", "llama"])
def folder(request: pytest.FixtureRequest, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5-shaped or Llama-shaped model of a few thousand parameters, drawn widely, so that its texts vary."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(5)
    torch.set_num_threads(1)  # several spend their time waiting for each other on so few numbers
    size, ends = len(tokenizer), {"pad_token_id": 0, "eos_token_id": 1}
    if request.param == "t5":
        config = transformers.T5Config(
            vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0, **ends
        )
        made = transformers.T5ForConditionalGeneration(config)
    else:
        config = transformers.LlamaConfig(
            vocab_size=size,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=512,
            **ends,
        )
        made = transformers.LlamaForCausalLM(config)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.8)
    path = tmp_path_factory.mktemp(request.param)
    made.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
