"""Soft actor-critic for the pendulum (T. Haarnoja et al., 2018), as in CleanRL. `tests/cells/port_sac.cells` is the
same in cells."""

import math
import sys

import gymnasium as gym
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from replay_buffer import ReplayBuffer

TOTAL_STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 500
LEARNING_STARTS = int(sys.argv[2]) if len(sys.argv) > 2 else 250
BUFFER_SIZE, GAMMA, TAU, BATCH_SIZE, POLICY_LR, Q_LR, POLICY_FREQUENCY = 100_000, 0.99, 0.005, 256, 3e-4, 1e-3, 2
LOG_STD_MAX, LOG_STD_MIN = 2, -5


class SoftQNetwork(nn.Module):
    def __init__(self, inputs, actions):
        super().__init__()
        self.fc1 = nn.Linear(inputs + actions, 256)
        self.fc2 = nn.Linear(256, 256)
        self.fc3 = nn.Linear(256, 1)

    def forward(self, x, a):
        x = torch.cat([x, a], 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


class Actor(nn.Module):
    def __init__(self, inputs, actions, low, high):
        super().__init__()
        self.fc1 = nn.Linear(inputs, 256)
        self.fc2 = nn.Linear(256, 256)
        self.fc_mean = nn.Linear(256, actions)
        self.fc_logstd = nn.Linear(256, actions)
        self.action_scale = (high - low) / 2.0
        self.action_bias = (high + low) / 2.0

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        mean = self.fc_mean(x)
        log_std = torch.tanh(self.fc_logstd(x))
        log_std = LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (log_std + 1)
        return mean, log_std

    def get_action(self, x):
        mean, log_std = self(x)
        normal = torch.distributions.Normal(mean, log_std.exp())
        x_t = normal.rsample()
        y_t = torch.tanh(x_t)
        action = y_t * self.action_scale + self.action_bias
        log_prob = normal.log_prob(x_t)
        log_prob -= torch.log(self.action_scale * (1 - y_t.pow(2)) + 1e-6)
        log_prob = log_prob.sum(1, keepdim=True)
        return action, log_prob


def start(env):
    """An episode that starts with the numbers of PyTorch, so that those of both programs start alike."""
    env.reset()
    state = torch.rand(2, dtype=torch.float64) * 2.0 - 1.0
    angle, turn = math.pi * state[0].item(), state[1].item()
    env.unwrapped.state = (angle, turn)
    return torch.tensor([math.cos(angle), math.sin(angle), turn])


torch.manual_seed(1)
env = gym.make("Pendulum-v1")
low, high = env.action_space.low.item(), env.action_space.high.item()
inputs, actions = env.observation_space.shape[0], env.action_space.shape[0]
actor = Actor(inputs, actions, low, high)
qf1 = SoftQNetwork(inputs, actions)
qf2 = SoftQNetwork(inputs, actions)
qf1_target = SoftQNetwork(inputs, actions)
qf2_target = SoftQNetwork(inputs, actions)
qf1_target.load_state_dict(qf1.state_dict())
qf2_target.load_state_dict(qf2.state_dict())
q_optimizer = optim.Adam(list(qf1.parameters()) + list(qf2.parameters()), lr=Q_LR)
actor_optimizer = optim.Adam(actor.parameters(), lr=POLICY_LR)
target_entropy = -float(actions)
log_alpha = torch.zeros(1, requires_grad=True)
alpha = log_alpha.exp().item()
a_optimizer = optim.Adam([log_alpha], lr=Q_LR)
rb = ReplayBuffer(BUFFER_SIZE, inputs, actions)

obs = start(env)
episode_return = 0.0
for global_step in range(TOTAL_STEPS):
    if global_step < LEARNING_STARTS:
        action = torch.rand(actions) * (high - low) + low
    else:
        with torch.no_grad():
            action = actor.get_action(obs.unsqueeze(0))[0].squeeze(0)
    next_obs, reward, termination, truncation, _ = env.step(action.numpy())
    next_obs = torch.tensor(next_obs)
    rb.add(obs, action, reward, next_obs, termination)
    episode_return += reward
    obs = next_obs
    if termination or truncation:
        print(f"step {global_step}: return {episode_return:.1f}")
        obs = start(env)
        episode_return = 0.0

    if global_step >= LEARNING_STARTS:
        data = rb.sample(BATCH_SIZE)
        with torch.no_grad():
            next_state_actions, next_state_log_pi = actor.get_action(data.next_observations)
            qf1_next_target = qf1_target(data.next_observations, next_state_actions)
            qf2_next_target = qf2_target(data.next_observations, next_state_actions)
            min_qf_next_target = torch.min(qf1_next_target, qf2_next_target) - alpha * next_state_log_pi
            next_q_value = data.rewards + (1 - data.dones) * GAMMA * min_qf_next_target.view(-1)

        qf1_a_values = qf1(data.observations, data.actions).view(-1)
        qf2_a_values = qf2(data.observations, data.actions).view(-1)
        qf_loss = F.mse_loss(qf1_a_values, next_q_value) + F.mse_loss(qf2_a_values, next_q_value)
        q_optimizer.zero_grad()
        qf_loss.backward()
        q_optimizer.step()

        if global_step % POLICY_FREQUENCY == 0:
            for _ in range(POLICY_FREQUENCY):
                pi, log_pi = actor.get_action(data.observations)
                min_qf_pi = torch.min(qf1(data.observations, pi), qf2(data.observations, pi))
                actor_loss = (alpha * log_pi - min_qf_pi).mean()
                actor_optimizer.zero_grad()
                actor_loss.backward()
                actor_optimizer.step()

                with torch.no_grad():
                    _, log_pi = actor.get_action(data.observations)
                alpha_loss = (-log_alpha.exp() * (log_pi + target_entropy)).mean()
                a_optimizer.zero_grad()
                alpha_loss.backward()
                a_optimizer.step()
                alpha = log_alpha.exp().item()
            if global_step < LEARNING_STARTS + 10 or global_step % 500 == 0:
                print(f"step {global_step}: qf {qf_loss:.5f} actor {actor_loss:.5f} alpha {alpha:.6f}")

        with torch.no_grad():
            for qf, target in [(qf1, qf1_target), (qf2, qf2_target)]:
                for param, target_param in zip(qf.parameters(), target.parameters()):
                    target_param.copy_(TAU * param + (1 - TAU) * target_param)
