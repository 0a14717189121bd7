extension Worker.Settings {
    package var reconcile: Reconciler.Settings {
        Reconciler.Settings(
            graceMilliseconds: Int64(reconcileGraceMilliseconds),
            intervalMilliseconds: Int64(reconcileIntervalMilliseconds), owner: owner)
    }

    package var scrub: Scrubber.Settings { Scrubber.Settings(bytesPerDay: scrubBytesPerDay, owner: owner) }
}
