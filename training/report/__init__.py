"""The report of a run: sentences, figures and pictures for the people who decide on a model."""
