def check(width, heads):
    assert width % heads == 0
