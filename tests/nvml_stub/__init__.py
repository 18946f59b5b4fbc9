"""A library ``libnvidia-ml.so.1`` of our own, under the real ``pynvml``, for tests without a card.

``build`` compiles ``stub.c``; ``Machine`` is one process that has it loaded and answers questions
about the state it is given. See the head of ``stub.c`` for the state's format.
"""
