"""Where non-dominated points of several terms may still be: one tree for many boxes, compiled."""
