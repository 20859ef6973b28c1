"""A model that tells which products a shopper buys within a week, from the features of ranking."""
