// Prints the median cost of the parts of a request, first as a table and then as JSON.
//
//     MicroBenchmarks [--quick]
//
// `--quick` lists 100,000 keys in place of 1,000,000.
import Core
import Foundation

let keyCount = CommandLine.arguments.contains("--quick") ? 100_000 : 1_000_000
let directory = FileManager.default.temporaryDirectory.appendingPathComponent("s3gw-micro-\(UUID().uuidString)")
try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
defer {
    do { try FileManager.default.removeItem(at: directory) } catch { print("left behind: \(directory.path): \(error)") }
}

var measurements = try SignatureBenchmark().run() + BytesBenchmark.run()
let data = try BenchmarkDatabase(directory: directory.path, keyCount: keyCount)
measurements += try MetadataBenchmark(data: data).run()
measurements += try GatewayBenchmark(data: data, directory: directory.path).run()

print(Measurement.title)
for measurement in measurements { print(measurement.line) }
print("{\"results\": [\n" + measurements.map(\.json).joined(separator: ",\n") + "\n]}")
