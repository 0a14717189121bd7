/// A backend with what this process has learned about its health.
package final class LiveBackend: Sendable {
    package let backend: any Backend
    package let breaker = CircuitBreaker()
    package let vitals = BackendVitals()

    package init(_ backend: any Backend) { self.backend = backend }

    package var name: String { backend.record.name }

    package var isReadable: Bool { backend.record.state.isReadable }
    /// Its store is not asked for anything any more.
    package var isLost: Bool { backend.record.state == .lost }

    /// Whether new bytes may be sent there now, as far as health goes; asks nothing and takes no trial.
    package var takesBytes: Bool { breaker.admits() && !vitals.isFull() }

    /// What a read from there would be like at this moment.
    package func readCandidate(near: [LocationSelector]) -> ReadCandidate {
        ReadCandidate(
            isHealthy: breaker.admits(), distance: ReplicaChoice.distance(of: backend.record.location, near: near),
            latencyMicroseconds: vitals.latencyMicroseconds, inFlight: vitals.inFlight)
    }

    /// Makes one call, unless the breaker is open, and notes what its outcome says of the store's health.
    ///
    /// Throws `.unavailable`, without asking the store, while it is not to be asked.
    package func observe<T>(
        isCheck: Bool = false, _ call: (any Backend) throws(BackendError) -> T
    ) throws(BackendError) -> T {
        guard breaker.admit(isCheck: isCheck) else {
            throw BackendError(.unavailable, backend: name, "failed lately; not asked again yet")
        }
        vitals.begin()
        do throws(BackendError) {
            let result = try call(backend)
            vitals.end(isFailure: false)
            breaker.recordSuccess()
            return result
        } catch {
            note(error)
            throw error
        }
    }

    private func note(_ error: BackendError) {
        switch error.kind {
        case .unavailable, .short:
            vitals.end(isFailure: true)
            breaker.recordFailure(isHang: error.isHang)
        case .stopped:
            vitals.end(isFailure: false)
            breaker.recordNothing()
        case .full, .missing, .refused, .conflict, .damaged:
            // It answers, and so it is there.
            vitals.end(isFailure: error.kind == .full)
            breaker.recordSuccess()
            if error.kind == .full { vitals.noteFull() }
        }
    }
}
