def draw_policy(*a): pass
