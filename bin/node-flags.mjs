/**
 * How the pinned Node is started. The heap begins large, because bodies lie outside of it and V8 would otherwise collect a
 * small heap once for every ten megabytes that pass through; it costs no memory before it is used.
 */
export const nodeFlags = ['--disable-warning=ExperimentalWarning', '--initial-heap-size=128']
