import Logging

/// What a worker does beside its jobs so that the backends alone tell everything: records of versions and sealed copies
/// of the configuration.
final class Upkeep: Sendable {
    private let world: World
    private let stop: StopSignal
    private let pauseMilliseconds: Int
    private let log = Logger(label: "s3gw.worker")

    /// After the database or the policy's word failed.
    private static let failurePauseMilliseconds = 1000

    init(world: World, stop: StopSignal, pauseMilliseconds: Int) {
        self.world = world
        self.stop = stop
        self.pauseMilliseconds = pauseMilliseconds
    }

    /// Works until `ended`.
    func run(until ended: StopSignal) {
        let records = RecordWriter(world: world, stop: ended)
        let documents = DocumentWriter(world: world, stop: ended)
        var pause = 0
        while !ended.wait(milliseconds: pause), !stop.isStopped {
            pause = pauseMilliseconds
            do throws(S3Error) {
                try documents.pass()
                if try records.pass() { pause = 0 } else { try settleImports() }
            } catch {
                log.warning("records not written yet", metadata: ["cause": "\(error.cause ?? error.message)"])
                pause = max(pause, Self.failurePauseMilliseconds)
            }
        }
    }

    /// Writes all that is due now, once each.
    func flush() throws(S3Error) {
        let documents = DocumentWriter(world: world, stop: stop)
        try documents.pass()
        let records = RecordWriter(world: world, stop: stop)
        while !stop.isStopped, try records.pass() {}
        if try settleImports() { try documents.pass() }
    }

    /// Notes of imports that all of their records are written; true when there was one.
    @discardableResult
    private func settleImports() throws(S3Error) -> Bool {
        let settled = try world.database.read { sql throws(S3Error) in try sql.importsToSettle() }
        guard !settled.isEmpty else { return false }
        try world.database.write { sql throws(S3Error) in
            for id in settled { try sql.settleImport(id: id, at: .now()) }
        }
        return true
    }
}
