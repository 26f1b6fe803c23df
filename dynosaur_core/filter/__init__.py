"""Which designs become tasks. `recipes.py` lists the checks in their order; each lies with others of what it looks at:

- `form`: the fields that are named; `purpose`, `specific`, `harmless`: the instruction's words
- `values`: the output's values; `relations`: what the rows relate; `lists`: how a list is an output
- `labels`, `codes`: the allowed answers of a closed set, and labels that need words

What is near and lies elsewhere: which closed sets a prompt shows, `metadata/facts.py` (`MAX_VALUES`); rows whose
output is empty, too long or none of the allowed answers, `rendering/render.py` (such a row is rejected, its task
stays); how labels and options stand in a record, `rendering/closed.py`.
"""
