/// Micro-benchmarks of the hot paths that no request-level figure shows apart: `swift run -c release MicroBenchmarks`.
///
/// Prints one line a figure: name, value, unit. Figures are CPU time of this thread, so a busy machine does not matter.
for line in SignatureBenchmark.run() + ContentBenchmark.run() { print(line) }
