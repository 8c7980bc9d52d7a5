"""The cell trained with torch: a loop per trial, as its tutorials write it."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from tests.benchmarks import cell

DEVICE = torch.device("cuda" if cell.DEVICE.platform == "gpu" and torch.cuda.is_available() else "cpu")


def unsupported(kind: str) -> str | None:
    """Say why torch can't run this kind of AdamW on the device."""
    weight = torch.ones(1, device=DEVICE, requires_grad=True)
    weight.grad = torch.ones(1, device=DEVICE)
    try:
        torch.optim.AdamW([weight], **{kind: True}).step()
    except RuntimeError as error:
        return f"torch on {DEVICE}: {error}"
    return None


def loop(kind: str):
    """Return a function that trains all trials; `kind` is "foreach" or "fused"."""
    data = [_rows(split) for split in cell.data()]
    batches = torch.as_tensor(cell.batches(), dtype=torch.int64, device=DEVICE)

    def run():
        trials = zip(cell.starts(), batches, strict=True)
        found = [[_train(start, rows, point, kind, data) for point in cell.POINTS] for start, rows in trials]
        return np.moveaxis(np.array(found), -1, 0).reshape(cell.SHAPE)

    return run


def _rows(split):
    features, labels = split
    return torch.as_tensor(features, device=DEVICE), torch.as_tensor(labels, dtype=torch.int64, device=DEVICE)


def _train(start, batches, point, kind, data):
    model = _model(start)
    optimizer = torch.optim.AdamW(model.parameters(), lr=point[0], weight_decay=point[1], **{kind: True})
    features, labels = data[0]
    records = [_measure(model, data)]
    for number, rows in enumerate(batches, start=1):
        optimizer.zero_grad()
        cross_entropy(model(features[rows]), labels[rows]).backward()
        optimizer.step()
        if number % cell.EVERY == 0:
            records.append(_measure(model, data))
    return records


def _model(start):
    layers = start["layers"]
    first, second = (torch.nn.Linear(*layer["kernel"].shape, device=DEVICE) for layer in layers.values())
    with torch.no_grad():
        for module, layer in zip((first, second), layers.values(), strict=True):
            module.weight.copy_(torch.tensor(layer["kernel"].T))
            module.bias.copy_(torch.tensor(layer["bias"]))
    return torch.nn.Sequential(first, torch.nn.ReLU(), second)


@torch.no_grad()
def _measure(model, data):
    logits = [(model(features), labels) for features, labels in data]
    losses = [cross_entropy(found, labels).item() for found, labels in logits]
    return losses + [(found.argmax(1) == labels).float().mean().item() for found, labels in logits]
