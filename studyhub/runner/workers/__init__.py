"""The one door to Ray: start or join a cluster, see that it has what a study asks for, and let Ray Tune run the trials."""
