"""Markov chains over tokens: their table, their stationary law and their entropies, in nats."""

import numpy as np
from jaxtyping import Float


def next_token_table(symbols: int, order: int, seed: int) -> Float[np.ndarray, "state token"]:
    """Return drawn laws of the next token for each state: the last `order` tokens as digits, oldest first.

    Laws are Dirichlet with parameter 0.3, so that two or three of eight tokens are likely in each state. A share of
    1 % is uniform, so that the chain can go anywhere and no law holds a zero.
    """
    laws = np.random.RandomState(seed).dirichlet(np.full(symbols, 0.3), symbols**order)
    return 0.99 * laws + 0.01 / symbols


def stationary(table: Float[np.ndarray, "state token"]) -> Float[np.ndarray, " state"]:
    """Return the law of the state that a step doesn't change."""
    num_states, symbols = table.shape
    step = np.zeros((num_states, num_states))
    states = np.arange(num_states)[:, None]
    step[states, (states * symbols + np.arange(symbols)) % num_states] = table
    # one equation is redundant: that the law sums to 1 takes its place
    equations = step.T - np.eye(num_states)
    equations[-1] = 1
    return np.linalg.solve(equations, np.eye(num_states)[-1])


def entropy(law: Float[np.ndarray, "*axes token"]) -> Float[np.ndarray, "*axes"]:
    """Return -sum p log p over the last axis, of laws without zeros."""
    return -np.sum(law * np.log(law), axis=-1)
