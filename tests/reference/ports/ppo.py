"""Proximal policy optimization of CartPole (J. Schulman et al., 2017), as in CleanRL. `tests/cells/port_ppo.cells` is
the same in cells."""

import sys

import gymnasium as gym
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions.categorical import Categorical

ITERATIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 8
LEARNING_RATE, NUM_ENVS, NUM_STEPS, GAMMA, GAE_LAMBDA = 2.5e-4, 4, 128, 0.99, 0.95
MINIBATCHES, UPDATE_EPOCHS, CLIP, ENT_COEF, VF_COEF, MAX_GRAD_NORM = 4, 4, 0.2, 0.01, 0.5, 0.5
BATCH_SIZE = NUM_ENVS * NUM_STEPS
MINIBATCH_SIZE = BATCH_SIZE // MINIBATCHES


class Start(gym.Wrapper):
    """Episodes start with the numbers of PyTorch, so that those of both programs start alike."""

    def reset(self, **kwargs):
        super().reset(**kwargs)
        state = torch.rand(4, dtype=torch.float64) * 0.1 - 0.05
        self.unwrapped.state = state.numpy()
        return state.float().numpy(), {}


def layer_init(layer, std=np.sqrt(2)):
    nn.init.orthogonal_(layer.weight, std)
    nn.init.zeros_(layer.bias)
    return layer


class Agent(nn.Module):
    def __init__(self, inputs, actions):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(inputs, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 1), std=1.0),
        )
        self.actor = nn.Sequential(
            layer_init(nn.Linear(inputs, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, 64)),
            nn.Tanh(),
            layer_init(nn.Linear(64, actions), std=0.01),
        )

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None):
        probs = Categorical(logits=self.actor(x))
        if action is None:
            action = probs.sample()
        return action, probs.log_prob(action), probs.entropy(), self.critic(x)


torch.manual_seed(1)
envs = gym.vector.SyncVectorEnv(
    [lambda: gym.wrappers.RecordEpisodeStatistics(Start(gym.make("CartPole-v1")))] * NUM_ENVS,
    autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
)
inputs, actions_count = envs.single_observation_space.shape[0], envs.single_action_space.n
agent = Agent(inputs, actions_count)
optimizer = optim.Adam(agent.parameters(), lr=LEARNING_RATE, eps=1e-5)

obs = torch.zeros(NUM_STEPS, NUM_ENVS, inputs)
actions = torch.zeros(NUM_STEPS, NUM_ENVS, dtype=torch.int64)
logprobs = torch.zeros(NUM_STEPS, NUM_ENVS)
rewards = torch.zeros(NUM_STEPS, NUM_ENVS)
dones = torch.zeros(NUM_STEPS, NUM_ENVS)
values = torch.zeros(NUM_STEPS, NUM_ENVS)

next_obs = torch.tensor(envs.reset(seed=1)[0])
next_done = torch.zeros(NUM_ENVS)
episode_returns = []
for iteration in range(ITERATIONS):
    optimizer.param_groups[0]["lr"] = (1.0 - iteration / ITERATIONS) * LEARNING_RATE

    for step in range(NUM_STEPS):
        obs[step] = next_obs
        dones[step] = next_done
        with torch.no_grad():
            action, logprob, _, value = agent.get_action_and_value(next_obs)
        values[step] = value.flatten()
        actions[step] = action
        logprobs[step] = logprob
        next_obs, reward, terminations, truncations, infos = envs.step(action.numpy())
        rewards[step] = torch.tensor(reward)
        next_obs = torch.tensor(next_obs)
        next_done = torch.tensor(np.logical_or(terminations, truncations)).float()
        if "final_info" in infos:
            episode_returns.extend(infos["final_info"]["episode"]["r"][infos["_final_info"]])

    with torch.no_grad():
        next_value = agent.get_value(next_obs).flatten()
        advantages = torch.zeros_like(rewards)
        lastgaelam = torch.zeros(NUM_ENVS)
        for t in reversed(range(NUM_STEPS)):
            last = t == NUM_STEPS - 1
            nextnonterminal = 1.0 - (next_done if last else dones[t + 1])
            nextvalues = next_value if last else values[t + 1]
            delta = rewards[t] + GAMMA * nextvalues * nextnonterminal - values[t]
            lastgaelam = delta + GAMMA * GAE_LAMBDA * nextnonterminal * lastgaelam
            advantages[t] = lastgaelam
        returns = advantages + values

    b_obs = obs.reshape(-1, inputs)
    b_logprobs = logprobs.reshape(-1)
    b_actions = actions.reshape(-1)
    b_advantages = advantages.reshape(-1)
    b_returns = returns.reshape(-1)
    b_values = values.reshape(-1)

    for epoch in range(UPDATE_EPOCHS):
        b_inds = torch.randperm(BATCH_SIZE)
        for mb_inds in b_inds.split(MINIBATCH_SIZE):
            _, newlogprob, entropy, newvalue = agent.get_action_and_value(b_obs[mb_inds], b_actions[mb_inds])
            logratio = newlogprob - b_logprobs[mb_inds]
            ratio = logratio.exp()
            with torch.no_grad():
                approx_kl = ((ratio - 1) - logratio).mean()

            mb_advantages = b_advantages[mb_inds]
            mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)

            pg_loss1 = -mb_advantages * ratio
            pg_loss2 = -mb_advantages * torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
            pg_loss = torch.max(pg_loss1, pg_loss2).mean()

            newvalue = newvalue.view(-1)
            v_loss_unclipped = (newvalue - b_returns[mb_inds]) ** 2
            v_clipped = b_values[mb_inds] + torch.clamp(newvalue - b_values[mb_inds], -CLIP, CLIP)
            v_loss_clipped = (v_clipped - b_returns[mb_inds]) ** 2
            v_loss = 0.5 * torch.max(v_loss_unclipped, v_loss_clipped).mean()

            entropy_loss = entropy.mean()
            loss = pg_loss - ENT_COEF * entropy_loss + v_loss * VF_COEF
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), MAX_GRAD_NORM)
            optimizer.step()
        if iteration == 0:
            print(f"policy {pg_loss:.6f} value {v_loss:.4f} entropy {entropy_loss:.5f} kl {approx_kl:.6f}")
    last_returns = episode_returns[-20:]
    print(f"iteration {iteration}: {len(episode_returns)} episodes, return {sum(last_returns) / len(last_returns):.1f}")
