"""What is read is what the file says: every sampled table gets the features that `datasets` would give it.

The catalogues bring tables as their files have them; `together` makes one table of all splits of a config:

- the columns are those that the card declares, else those of all files; one that a file lacks is null there;
- numbers of unlike types meet in one that holds them all, all other unlike scalars as text; a column whose files
  cannot meet, or whose type has no plain form, is left out by itself, with the reason;
- extension, dictionary, view, decimal and JSON types become plain ones; moments that Python cannot count (years
  below 1 or beyond 9999, nanoseconds, durations) become text;
- labels become their names, whether the file holds numbers (`1`, `1.0`), digits or names; -1 is no label.

Where this differs from what `load_dataset` infers, the text of the file wins: a CSV cell or a JSON value stays as it is
written. A column becomes a number or a truth value only when that is written back in the same way, cell by cell:
`0.00`, `1.10`, `00012`, `1e5`, `3` beside `3.5`, dates, and the words `None`, `NA`, `null` and `nan` stay texts. An
empty CSV cell is null.
"""
