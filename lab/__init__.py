"""What the page needs besides the learner's code: the engine behind it, live events, the guide."""
