"""What `benches/peers.py` and `benches/crossover.py` share.

`case.py` says what a case is, `workloads.py`, `documents.py` and `cells.py` have them, `suites.py` lists them by name. `sides.py` and
`onnx.py` are the peers, each in a process of its own (`worker.py`), `ours.py` is hnet; `measure.py` runs them in turn, and `report.py`
writes what came out.
"""
