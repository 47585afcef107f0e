"""The one door to Ray: start or join a cluster, see that it has what a study asks for, and let Ray Tune run the trials."""

from studyhub.runner.workers.cluster import Cluster, cluster
from studyhub.runner.workers.share import Node, Share, Shares, measured
from studyhub.runner.workers.tune import run

__all__ = ["Cluster", "Node", "Share", "Shares", "cluster", "measured", "run"]
