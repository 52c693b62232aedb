"""Matrix factorization: ratings in, vectors out, scoring as SQL over the vectors."""
