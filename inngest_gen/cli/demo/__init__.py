"""`inngest-gen demo`: a shop that kills its own process midway, and the proof that it lost nothing."""
