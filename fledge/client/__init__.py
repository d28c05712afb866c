"""Whoever asks a served model: golden requests, replayed rows. The client itself is fledge.client.client, without TensorFlow."""
