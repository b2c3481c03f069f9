"""Trajectories, transition tables and limits of Gymnasium 1.4, and returns computed with NumPy."""

import gymnasium as gym
import numpy as np

from encode import write


def trajectory(name, state, actions, dtype=np.float64):
    env = gym.make(name).unwrapped
    env.reset(seed=0)
    env.state = np.array(state, dtype=dtype)
    steps = []
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        steps.append([*map(float, observation), float(reward), int(terminated), int(truncated)])
        if terminated:
            break
    taken = [float(np.ravel(action)[0]) for action in actions[: len(steps)]]
    return {"state": state, "actions": taken, "steps": steps}


def table(name, **options):
    p = gym.make(name, **options).unwrapped.P
    return [
        [float(x) for outcome in p[state][action] for x in outcome] for state in sorted(p) for action in sorted(p[state])
    ]


def continuous(high, count):
    return [np.array([high * np.sin(0.7 * i)], dtype=np.float32) for i in range(count)]


def truncated_after(name, action):
    env = gym.make(name)
    env.reset(seed=0)
    steps = 0
    while True:
        steps += 1
        *_, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            return [steps, int(terminated), int(truncated)]


def advantages(rewards, values, terminated, last, discount, decay):
    following = np.append(values[1:], last)
    deltas = rewards + discount * following * (1 - terminated) - values
    weights = discount * decay * (1 - terminated)
    return [
        float(sum(np.prod(weights[t:k]) * deltas[k] for k in range(t, len(rewards)))) for t in range(len(rewards))
    ]


rng = np.random.default_rng(0)
rewards, values = rng.normal(size=12), rng.normal(size=12)
ends = np.array([0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0])
names = ["CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "FrozenLake-v1", "FrozenLake8x8-v1"]
limits = {name: gym.spec(name).max_episode_steps for name in [*names, "CliffWalking-v1"]}
print(limits)
# Full throttle along the velocity reaches the goal.
swing = [0] * 30 + [2] * 45 + [0] * 45 + [2] * 80
write(
    "rl",
    {
        "cart_pole": trajectory("CartPole-v1", [0.01, -0.02, 0.03, 0.04], [1, 0, 1, 1, 0, 0, 1, 0, 0, 1] + [1] * 30),
        "cart_pole_leaves": trajectory("CartPole-v1", [2.3, 2.0, 0.0, 0.0], [1, 0] * 10),
        "mountain_car": trajectory("MountainCar-v0", [-0.5, 0.0], swing),
        "mountain_car_wall": trajectory("MountainCar-v0", [-1.15, -0.05], [0] * 10),
        "mountain_car_goal": trajectory("MountainCar-v0", [0.4, 0.04], [2] * 10),
        "mountain_car_continuous": trajectory("MountainCarContinuous-v0", [-0.5, 0.0], continuous(1.4, 60)),
        "mountain_car_continuous_goal": trajectory("MountainCarContinuous-v0", [0.35, 0.05], continuous(1.4, 20)),
        "pendulum": trajectory("Pendulum-v1", [3.0, 0.5], continuous(3.0, 60)),
        "pendulum_fast": trajectory("Pendulum-v1", [-7.5, 7.9], continuous(3.0, 20)),
        "frozen_lake": table("FrozenLake-v1"),
        "frozen_lake_sure": table("FrozenLake-v1", is_slippery=False),
        "frozen_lake_8x8": table("FrozenLake8x8-v1"),
        "frozen_lake_8x8_sure": table("FrozenLake8x8-v1", is_slippery=False),
        "cliff": table("CliffWalking-v1"),
        "cliff_slippery": table("CliffWalking-v1", is_slippery=True),
        "limits": limits,
        "truncated": truncated_after("MountainCar-v0", 1),
        "gae": {
            "rewards": rewards.tolist(),
            "values": values.tolist(),
            "terminated": ends.tolist(),
            "advantages": advantages(rewards, values, ends, 0.7, 0.9, 0.8),
            "returns": [float(sum(0.9 ** (k - t) * rewards[k] for k in range(t, 12))) for t in range(12)],
        },
    },
)
