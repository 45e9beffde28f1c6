"""The benchmarks, one module each: `run(quick, tell)` measures and answers a `Result`."""
