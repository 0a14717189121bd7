import Testing

/// Plants what the rules forbid, and what only looks like it.
@Suite struct TidyCheckerTests {
    private func lines(
        _ rule: ([SourceFile]) -> [Finding], _ source: String, at path: String = "Sources/Core/Auth/Planted.swift"
    ) -> [Int] {
        rule([SourceFile(path: path, text: source)]).map(\.line)
    }

    @Test func `comments and texts leave no words, interpolations do`() {
        let source = ##"""
            // one /* two
            /* three /* four */ five */ let a = "six \(seven + "eight \(nine)") \"ten" // eleven
            let b = #"twelve "quoted" \#(thirteen) \(fourteen)"#; let `fifteen is "quoted"` = 16
            """##
        let words = SwiftTokens.of(source).filter(\.isWord)
        #expect(words.map(\.text) == ["let", "a", "seven", "nine", "let", "b", "thirteen", "let", "16"])
        #expect(words.map(\.line) == [2, 2, 2, 2, 3, 3, 3, 3, 3])
    }

    @Test func `a text of several lines keeps the count of lines`() {
        let source = "let a = \"\"\"\n  one \"two\" \\\n  \\(three)\n  \"\"\"\nfour"
        let words = SwiftTokens.of(source).filter(\.isWord)
        #expect(words.map(\.text) == ["let", "a", "three", "four"])
        #expect(words.last?.line == 5)
    }

    @Test(arguments: [
        "let a = try! b()", "let a = try? b()", "let a = b!", "let a = b()!.c", "let a = b[1]!", "let a = b as! Int",
        "var a: Int!", "let a = \"b\"!", "let a = \"\\(b!)\"", "let a = { 1 }!()", "let a: [Int]! = nil",
        "let a = b?.c!",
    ]) func `a trap or a dropped error is found`(source: String) {
        #expect(lines(TidyRules.trapsAndDroppedErrors, "// first\n" + source) == [2])
    }

    @Test(arguments: [
        "if !a { }", "guard a != b else { }", "let a = try b() // try! b!", "let a = \"try! b!\"", "let c = (!a, [!b])",
        "let a = b ? c : d", "do { try a() } catch { }", "let a = b?.c", "#if !os(Linux)",
    ]) func `what only looks like a trap is not one`(source: String) {
        #expect(lines(TidyRules.trapsAndDroppedErrors, source) == [])
    }

    @Test func `tests may unwrap, and may not try with a bang`() {
        let source = "let a = b!\nlet c = try? d()\nlet e = try! f()"
        #expect(lines(TidyRules.trapsAndDroppedErrors, source, at: "Tests/CoreTests/Planted.swift") == [3])
    }

    @Test func `a file of 501 lines is too long`() {
        #expect(lines(TidyRules.longFiles, String(repeating: "\n", count: 500)) == [])
        #expect(lines(TidyRules.longFiles, String(repeating: "\n", count: 501)) == [501])
    }

    @Test(arguments: [
        "func a() async {}", "await a()", "actor A {}", "Task { }", "DispatchQueue.main.sync { }",
    ]) func `tasks and queues are found in Core`(source: String) {
        #expect(lines(TidyRules.concurrency, source) == [1])
        #expect(lines(TidyRules.concurrency, source, at: "Tests/CoreTests/Planted.swift") == [])
        #expect(lines(TidyRules.concurrency, "// " + source) == [])
    }

    @Test func `a C library is found outside of its folder or when it leaks`() {
        #expect(lines(TidyRules.cImports, "private import COpenSSL\ninternal import COpenSSL\nimport Testing") == [])
        #expect(lines(TidyRules.cImports, "import COpenSSL") == [1])
        #expect(lines(TidyRules.cImports, "private import Glibc\nimport COpenSSL") == [2])
        #expect(lines(TidyRules.cImports, "package import COpenSSL") == [1])
        #expect(lines(TidyRules.cImports, "private import CSQLite") == [1])
        #expect(lines(TidyRules.cImports, "private import CSQLite", at: "Tests/CoreTests/Planted.swift") == [1])
        #expect(lines(TidyRules.cImports, "private import CFastCGI", at: "Sources/S3GWFCGI/Slot.swift") == [])
    }

    @Test func `an unchecked promise needs a C library beside it`() {
        let promise = "final class A: @unchecked Sendable {}\nnonisolated(unsafe) var a = 1"
        #expect(lines(TidyRules.unsafeSharing, promise) == [1, 2])
        #expect(lines(TidyRules.unsafeSharing, "private import COpenSSL\n" + promise) == [])
    }

    @Test func `public is found where it gives access`() {
        #expect(lines(TidyRules.publicWords, "public struct A {}\nlet a = A.public\npackage struct B {}") == [1])
    }

    @Test func `a foreign error code and a foreign grant are found`() {
        let code = "let a = S3Error.Code(row: \"Mine\", 499, \"\")\nlet b = Table(row: 3)"
        #expect(lines(TidyRules.guardedInitialisers, code) == [1])
        #expect(lines(TidyRules.guardedInitialisers, "let a = Self(row: 1)", at: TidyRules.codeTable) == [])
        let grant = "let a = PlacementGrant(grantedBy: b)"
        #expect(lines(TidyRules.guardedInitialisers, grant) == [1])
        #expect(lines(TidyRules.guardedInitialisers, grant, at: "Sources/Core/Placement/Placement.swift") == [])
    }

    @Test func `a path of one machine is found`() {
        #expect(lines(TidyRules.machinePaths, "let a = \"/wo" + "rk/tree\"") == [1])
        #expect(lines(TidyRules.machinePaths, "let a = \"network/tree\"") == [])
    }

    private func knowledge(_ sources: [String: String], exceptions: [Knowledge.Exception: String] = [:])
        -> Knowledge.Answer
    {
        let files = sources.map { SourceFile(path: "Sources/Core/\($0.key).swift", text: $0.value) }
        return Knowledge.check(files, exceptions: exceptions)
    }

    @Test func `a folder that names a type above it is found`() {
        let answer = knowledge([
            "Backend/Store": "package protocol Store {}\nprivate struct Own {}\nenum Outer { struct Inner {} }",
            "Policy/Rule": "struct Own {}\nstruct Inner {}\n/// Store\nlet a: Store\nlet b: Own, c: Inner, d: A.Store",
            "Operations/Get": "let a: Store",
        ])
        #expect(
            answer.findings == [
                Finding(
                    path: "Sources/Core/Policy/Rule.swift", line: 4,
                    words: "Policy never knows Backend, and this is its Store")
            ])
    }

    @Test func `an exception lets its type through, and is found when nothing needs it`() {
        let needed = Knowledge.Exception(folder: "Policy", type: "Store")
        let idle = Knowledge.Exception(folder: "Auth", type: "Store")
        let sources = ["Backend/Store": "struct Store {}", "Policy/Rule": "let a: Store"]
        let answer = knowledge(sources, exceptions: [needed: "shown", idle: "forgotten"])
        #expect(answer == Knowledge.Answer(findings: [], unused: [idle]))
    }

    @Test func `a folder that nobody thought about is found`() {
        #expect(knowledge(["Utils/Strings": "struct A {}"]).findings.count == 1)
        #expect(knowledge(["Gateway": "struct A {}"]).findings.isEmpty)
    }
}
