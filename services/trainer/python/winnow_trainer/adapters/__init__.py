"""The stream in the trainers of others: each module needs its framework, which it imports; none is imported by winnow_trainer itself."""
