"""A replay buffer such as CleanRL has in its library, which draws by PyTorch's random numbers."""

from collections import namedtuple

import torch

Batch = namedtuple("Batch", "observations actions rewards next_observations dones")


class ReplayBuffer:
    def __init__(self, capacity, state, action):
        self.capacity, self.count = capacity, 0
        sizes = [state, action, 1, state, 1]
        self.fields = [torch.zeros(capacity, size) for size in sizes]

    def add(self, observation, action, reward, next_observation, done):
        row = self.count % self.capacity
        for field, value in zip(self.fields, [observation, action, reward, next_observation, done]):
            field[row] = torch.as_tensor(value)
        self.count += 1

    def sample(self, size):
        rows = torch.randint(min(self.count, self.capacity), (size,))
        observations, actions, rewards, next_observations, dones = (field[rows] for field in self.fields)
        return Batch(observations, actions, rewards.flatten(), next_observations, dones.flatten())
