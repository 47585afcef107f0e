"""The GPU's side of a kernel's language: every number is one unit's, every unit a thread. ``kernels.lanes`` is the CPU's side."""

import math

from numba import cuda

function = cuda.jit(device=True)


@function
def minimum(a, b):
    return a if a < b or a != a else b


@function
def maximum(a, b):
    return a if a > b or a != a else b


@function
def size(a):
    return math.fabs(a)


@function
def sqrt(a):
    return math.sqrt(a)


@function
def exp(a):
    return math.exp(a)


@function
def log(a):
    return math.log(a)


@function
def tanh(a):
    return math.tanh(a)


@function
def select(condition, a, b):
    return a if condition else b


@function
def both(a, b):
    return a and b


@function
def either(a, b):
    return a or b


@function
def negate(a):
    return not a


@function
def somewhere(a):
    return a


@function
def spread(a):
    return a


@function
def load(array, index):
    return array[index]


@function
def store(array, index, value):
    array[index] = value


@function
def gather(array, first, places, index):
    return array[first + places[index]]
