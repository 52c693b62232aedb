"""Purchase intent while a visit lasts: candidates held to account by time, and when to step in."""
