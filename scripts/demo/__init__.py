"""The whole story on one machine: real data, real git, real Envoy, real traffic."""
