"""Clusters of rows: finding them, judging them, and comparing how many there should be."""
