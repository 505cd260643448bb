"""A loss for answers at every step."""

from torch import nn


class StepCrossEntropy(nn.CrossEntropyLoss):
    """Cross-entropy in nats, averaged over all steps of all sequences."""

    def forward(self, output, target):
        """Loss of logits (n_sequences, n_steps, n_classes) for classes (n_sequences, n_steps)."""
        return super().forward(output.flatten(0, 1), target.flatten())
