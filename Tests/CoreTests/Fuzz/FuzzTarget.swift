@testable import Core

/// What a fuzzer feeds with bytes: one reader of input each, with what must hold for every input.
///
/// `Fuzz/LibFuzzer.swift` is built from this file too; `FuzzCorpusTests` replays the committed corpora.
enum FuzzTarget: String, CaseIterable, Sendable {
    case xml, request, chunked, form, signature, completion, deletion, lifecycle, policy

    /// Longer inputs find nothing more and cost time.
    static let maximumBytes = 64 * 1024

    /// Returns what went wrong, nil when everything held.
    ///
    /// A refusal is no fault; a trap ends the process, and that is one.
    func run(_ bytes: [UInt8]) -> String? {
        guard bytes.count <= Self.maximumBytes else { return nil }
        return switch self {
        case .xml: Self.xml(bytes)
        case .request: Self.request(bytes)
        case .chunked: Self.chunked(bytes)
        case .form: Self.form(bytes)
        case .signature: Self.signature(bytes)
        case .completion: Self.completion(bytes)
        case .deletion: Self.deletion(bytes)
        case .lifecycle: Self.lifecycle(bytes)
        case .policy: Self.policy(bytes)
        }
    }

    /// What `body` returns, or the code of its refusal.
    enum Outcome<Value: Equatable>: Equatable {
        case value(Value)
        case refusal(String)

        init(_ body: () throws(S3Error) -> Value) {
            do throws(S3Error) { self = .value(try body()) } catch { self = .refusal(error.code.name) }
        }

        var value: Value? {
            if case .value(let value) = self { value } else { nil }
        }
    }

    /// Splits at the first `count` line feeds; missing lines are empty.
    static func lines(_ bytes: [UInt8], _ count: Int) -> [[UInt8]] {
        var lines = bytes.split(separator: 0x0A, maxSplits: count - 1, omittingEmptySubsequences: false).map(Array.init)
        while lines.count < count { lines.append([]) }
        return lines
    }
}
