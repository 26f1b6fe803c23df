"""Models of a few thousand weights, shaped as T5 and Llama, with a tokenizer trained on the rows that they learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

INSTRUCTION = "Name the capital."
CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Norway": "Oslo", "Austria": "Vienna"}
ROWS = [{"instruction": INSTRUCTION, "input": land, "output": city} for land, city in CAPITALS.items()] * 4


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of rows: each land is four times there."""
    return write(tmp_path / "rows.jsonl", ROWS)


def write(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with an encoder."""
    return make_t5(tmp_path_factory.mktemp("models") / "t5")


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a causal model."""
    return make_llama(tmp_path_factory.mktemp("models") / "llama")


def make_t5(folder: Path) -> Path:
    torch = pytest.importorskip("torch")
    import transformers

    torch.manual_seed(0)
    tokenizer = _tokenizer(folder, "$A </s>")
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def make_llama(folder: Path, dropout: float = 0.0) -> Path:
    torch = pytest.importorskip("torch")
    import transformers

    torch.manual_seed(0)
    tokenizer = _tokenizer(folder, "<s> $A")
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        attention_dropout=dropout,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path, form: str) -> Any:
    """Byte-level BPE; `form` says which token stands before or after a text."""
    import tokenizers
    import transformers
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    special = ["<pad>", "</s>", "<s>"]
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    texts = [f"{row['instruction']} {row['input']} {row['output']} Definition: Input: Output: Answer" for row in ROWS]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    numbers = [(token, bpe.token_to_id(token)) for token in special]
    bpe.post_processor = processors.TemplateProcessing(single=form, special_tokens=numbers)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", eos_token="</s>", bos_token="<s>"
    )
    tokenizer.save_pretrained(folder)
    return tokenizer
