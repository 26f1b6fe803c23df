"""How well a model follows instructions it was not trained on, and what it forgets from stage to stage."""
