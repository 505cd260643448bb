import pytest

from lyapsk._process_setting import ProcessSetting


@pytest.fixture
def setting():
    values = [3]
    return ProcessSetting(lambda: values[-1], values.append, lambda value: -value), values


def test_the_last_to_leave_gives_back_what_the_first_found(setting):
    setting, values = setting
    one, other = setting.changed(), setting.changed()
    one.__enter__()
    other.__enter__()
    assert values == [3, -3]
    one.__exit__(None, None, None)
    assert values == [3, -3]
    other.__exit__(None, None, None)
    assert values == [3, -3, 3]


def test_it_is_given_back_after_a_failure_and_read_anew(setting):
    setting, values = setting
    with pytest.raises(ZeroDivisionError), setting.changed():
        raise ZeroDivisionError
    assert values[-1] == 3
    values.append(5)
    with setting.changed():
        assert values[-1] == -5
    assert values[-1] == 5
