"""An influence worker in PyTorch: reward requests in, rewards out, as the one in services/influence and services/model."""
