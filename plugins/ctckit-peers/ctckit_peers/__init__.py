"""Other packages' decoders as decoders of ctckit, by name: `ctckit.load_decoder("pyctcdecode")`.

`ctckit_peers.peer.Peer` says what an adapter does, and how to time the peer without it.
"""

from ctckit_peers.peer import Found, Matrices, Peer

__all__ = ["Found", "Matrices", "Peer"]
