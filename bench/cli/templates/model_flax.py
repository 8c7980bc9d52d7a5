"""A model of your own: `optbench run -p ./THIS_FILE.py:make -o adamw -o sgd`."""

from flax import nnx

from optbench.problems import supervised


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.hidden, self.norm = nnx.Linear(64, 32, rngs=rngs), nnx.BatchNorm(32, rngs=rngs)
        self.out = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.relu(self.norm(self.hidden(x.reshape(len(x), 64)))))


def make():
    # In place of "digits": your arrays, (x, y), or a file, "./rows.csv". In place of the loss: "squared_error".
    return supervised(Net, "digits", loss="cross_entropy")
