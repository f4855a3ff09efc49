"""Forest kernels: what they read, their text, and what runs them."""
