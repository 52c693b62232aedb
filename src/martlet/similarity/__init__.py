"""Item similarity: what customers of a product buy too, and recommendations made of it."""
