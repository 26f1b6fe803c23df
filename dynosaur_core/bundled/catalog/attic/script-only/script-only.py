"""A loading script, as datasets had them before parquet files. It is never run."""

import datasets


class ScriptOnly(datasets.GeneratorBasedBuilder):
    def _info(self):
        features = datasets.Features({"question": datasets.Value("string"), "answer": datasets.Value("string")})
        return datasets.DatasetInfo(features=features)

    def _split_generators(self, dl_manager):
        path = dl_manager.download("https://example.invalid/questions.jsonl")
        return [datasets.SplitGenerator(name="train", gen_kwargs={"path": path})]
