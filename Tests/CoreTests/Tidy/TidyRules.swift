/// One place that breaks one rule.
struct Finding: Equatable, CustomStringConvertible {
    var path: String
    var line: Int
    var words: String

    var description: String { "\(path):\(line): \(words)" }
}

/// The rules about single files; `Knowledge` has those about folders.
enum TidyRules {
    static let maximumLines = 500

    /// Where each C library may be imported: the folder of its wrapper.
    static let wrapperFolders = [
        "CLinux": "Sources/Core/Backend", "CSQLite": "Sources/Core/Metadata", "CCurl": "Sources/Core/Backend",
        "COpenSSL": "Sources/Core/Auth", "CProcessor": "Sources/Core/Auth",
        "CFastCGI": "Sources/S3GWFCGI",
    ]

    /// Words of structured concurrency and dispatch queues, which blocking threads have no use for.
    static let concurrencyWords: Set<String> = ["async", "await", "actor", "Task", "TaskGroup", "DispatchQueue"]

    static let codeTable = "Sources/Core/Errors/S3Error+Table.swift"

    static func longFiles(_ files: [SourceFile]) -> [Finding] {
        files.filter { $0.lineCount > maximumLines }
            .map { Finding(path: $0.path, line: maximumLines + 1, words: "\($0.lineCount) lines") }
    }

    /// `try!` anywhere; `try?`, `as!`, `x!` and `T!` in the sources.
    static func trapsAndDroppedErrors(_ files: [SourceFile]) -> [Finding] {
        tokens(of: files) { file, before, token in
            guard token.isGlued, let before else { return nil }
            let isSource = file.isUnder("Sources")
            if token.text == "!" {
                if before.text == "try" { return "try! traps" }
                let endsAValue = before.isWord || [")", "]", "}", "\"", ">", "?", "`"].contains(before.text.suffix(1))
                return isSource && endsAValue ? "\(before.text)! traps" : nil
            }
            return isSource && token.text == "?" && before.text == "try" ? "try? drops the reason" : nil
        }
    }

    static func concurrency(_ files: [SourceFile]) -> [Finding] {
        tokens(of: files.filter { $0.isUnder("Sources/Core") }) { _, before, token in
            guard concurrencyWords.contains(token.text), before?.text != "." else { return nil }
            return "\(token.text): Core has blocking threads"
        }
    }

    /// A C module is imported privately and only in its wrapper's folder.
    static func cImports(_ files: [SourceFile]) -> [Finding] {
        var findings: [Finding] = []
        for file in files where file.path.hasSuffix(".swift") {
            for (index, token) in file.tokens.enumerated() where token.text == "import" {
                guard index + 1 < file.tokens.count else { continue }
                let module = file.tokens[index + 1].text
                guard let folder = wrapperFolders[module] else { continue }
                let access = index > 0 && file.tokens[index - 1].line == token.line ? file.tokens[index - 1].text : ""
                if !["private", "fileprivate", "internal"].contains(access) {
                    findings.append(
                        Finding(path: file.path, line: token.line, words: "\(module) is not imported privately"))
                }
                if !file.isUnder(folder) {
                    findings.append(
                        Finding(path: file.path, line: token.line, words: "\(module) is imported outside of \(folder)"))
                }
            }
        }
        return findings
    }

    /// Promises that the compiler cannot check stand beside the C calls that they are about.
    static func unsafeSharing(_ files: [SourceFile]) -> [Finding] {
        let systemModules = Set(wrapperFolders.keys).union(["Glibc"])
        return tokens(of: files.filter { $0.isUnder("Sources") }) { file, _, token in
            guard token.text == "unchecked" || token.text == "nonisolated" else { return nil }
            let isWrapper = zip(file.tokens, file.tokens.dropFirst())
                .contains { $0.text == "import" && systemModules.contains($1.text) }
            return isWrapper ? nil : "\(token.text) in a file that wraps no C library"
        }
    }

    static func publicWords(_ files: [SourceFile]) -> [Finding] {
        tokens(of: files.filter { $0.isUnder("Sources") }) { _, before, token in
            guard token.text == "public", before?.text != ".", before?.text != "case" else { return nil }
            return "public: a product has no use for it"
        }
    }

    /// Rows of the error table are made in the table, and placement's grants by placement.
    static func guardedInitialisers(_ files: [SourceFile]) -> [Finding] {
        var findings: [Finding] = []
        for file in files where file.path.hasSuffix(".swift") {
            for (index, token) in file.tokens.enumerated() where index >= 2 {
                let call = file.tokens[index - 2...index].map(\.text)
                guard call[1] == "(" else { continue }
                if token.text == "row" && file.path != codeTable
                    && (call[0] == "Code" || file.coreFolder == "Errors" && ["Self", "row"].contains(call[0]))
                {
                    findings.append(Finding(path: file.path, line: token.line, words: "an error code beside the table"))
                }
                if token.text == "grantedBy" && file.coreFolder != "Placement" {
                    findings.append(Finding(path: file.path, line: token.line, words: "a grant not made by placement"))
                }
            }
        }
        return findings
    }

    /// Paths of the machine that a file was written on, spelled so that this file has none.
    static func machinePaths(_ files: [SourceFile]) -> [Finding] {
        let path = "/wo" + "rk/"
        return files.filter { $0.text.contains(path) }
            .map { Finding(path: $0.path, line: 1, words: "names a path of one machine: \(path)") }
    }

    /// Calls `check` with each token and the one before it.
    private static func tokens(
        of files: [SourceFile], check: (SourceFile, SwiftToken?, SwiftToken) -> String?
    ) -> [Finding] {
        files.flatMap { file in
            file.tokens.indices.compactMap { index in
                let token = file.tokens[index]
                return check(file, index > 0 ? file.tokens[index - 1] : nil, token)
                    .map { Finding(path: file.path, line: token.line, words: $0) }
            }
        }
    }
}
