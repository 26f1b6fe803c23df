"""Fine-tuning: recipes are data, rows become tokens of which the output's alone carry loss, and a training goes on."""
