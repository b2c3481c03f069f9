"""Transition tables of Gymnasium's taxi, trajectories of its acrobot, and games of its blackjack with given cards."""

import gymnasium as gym
import numpy as np
from gymnasium.envs.toy_text import blackjack

from encode import write


def acrobot(state, actions):
    env = gym.make("Acrobot-v1").unwrapped
    env.reset(seed=0)
    env.state = np.array(state)
    steps = []
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(action)
        steps.append([*map(float, observation), float(reward), int(terminated), int(truncated)])
        if terminated:
            break
    return {"state": state, "actions": actions[: len(steps)], "steps": steps}


def taxi(rainy):
    p = gym.make("Taxi-v4", is_rainy=rainy).unwrapped.P
    return [[float(x) for outcome in p[state][action] for x in outcome] for state in range(500) for action in range(6)]


def game(rng, natural, sab):
    """The cards as they are drawn: two of the dealer's, two of the player's, and what follows."""
    cards = []

    def draw_card(_):
        # Many aces and tens, so that there are naturals.
        cards.append(int(rng.choice([1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10])))
        return cards[-1]

    blackjack.draw_card = draw_card
    env = blackjack.BlackjackEnv(natural=natural, sab=sab)
    env.reset(seed=0)
    actions, steps, terminated = [], [], False
    while not terminated:
        actions.append(int(rng.random() < 0.45))
        observation, reward, terminated, _, _ = env.step(actions[-1])
        steps.extend([*map(int, observation), reward, int(terminated)])
    return {"cards": cards, "actions": actions, "steps": steps}


rng = np.random.default_rng(0)
pump = [0, 0, 0, 2, 2, 2, 1]
write(
    "rl_toy_text",
    {
        "acrobot": acrobot([0.05, -0.03, 0.02, 0.01], pump * 10),
        "acrobot_fast": acrobot([3.0, -3.0, 12.0, -28.0], pump * 2),
        "acrobot_goal": acrobot([2.0, 0.3, 2.0, 1.0], [2] * 20),
        "taxi": taxi(False),
        "taxi_rainy": taxi(True),
        "taxi_masks": [gym.make("Taxi-v4").unwrapped.action_mask(state).tolist() for state in range(500)],
        "blackjack": {
            "sab": [game(rng, False, True) for _ in range(150)],
            "natural": [game(rng, True, False) for _ in range(150)],
            "plain": [game(rng, False, False) for _ in range(60)],
        },
        "limits": {name: gym.spec(name).max_episode_steps for name in ["Acrobot-v1", "Taxi-v4"]},
    },
)
