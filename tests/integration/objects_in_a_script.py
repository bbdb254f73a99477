"""A program as a notebook is: the network's class, its training and the search are all in `__main__`."""

import json
import sys

import torch
from sklearn.datasets import load_digits
from torch import nn

import tuning
from antisample import AntisampleError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(512, 10)

    def forward(self, images):
        return self.head(self.features(images).flatten(1))


def trained():
    torch.manual_seed(0)
    net, (train, _) = Net(), data()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(6):
        for some in torch.randperm(1200).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(train[0][some]), train[1][some]).backward()
            optimizer.step()
    return net


def data():
    digits = load_digits()
    images, labels = torch.tensor(digits.images[:, None] / 16).float(), torch.tensor(digits.target)
    return (images[:1200], labels[:1200]), (images[1200:], labels[1200:])


def search(net, train, test, n_trials):
    return tuning.search(
        net,
        train,
        test,
        classes=[3],
        n_trials=n_trials,
        fixed={"epochs": 1},
        confirm_seeds=0,
        memory="none",
        selection={"max_loss": 0.9},
        tracking_uri="none",
        evaluation={"final": []},
        resources={"max_concurrent": 2},
    )


def refusal(result):
    try:
        result.applied(99)
    except AntisampleError as error:
        return str(error)


if __name__ == "__main__":
    torch.set_num_threads(1)
    network, (training, testing) = trained(), data()
    if sys.argv[1] == "other images":
        training = (training[0].flip(-1), training[1])
    if sys.argv[1] == "other weights":
        network.head.weight.data *= 1.01
    try:
        result = search(network, training, testing, int(sys.argv[2]))
    except AntisampleError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    weights = {name: value.tolist() for name, value in result.model.state_dict().items()}
    card = result.save("saved")
    facts = {
        "repr": repr(result),
        "numbers": [trial.number for trial in result.trials],
        "workers": sorted({trial.worker for trial in result.trials}),
        "type": type(result.model).__qualname__,
        "columns": list(result.to_dataframe().columns),
        "html": result._repr_html_(),
        "plotted": len(result.plot().axes[0].collections),
        "command": card.command,
        "head": weights["head.bias"],
        "another": result.applied(1).card().origin["trial"],
        "no trial": refusal(result),
    }
    sys.stderr.write(json.dumps(facts))
