using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Redis;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>When it is said that Redis did not answer in time.</summary>
public sealed class DeadlineTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();
    private readonly TaskCompletionSource<int> _redis = new();
    private bool _isUnread;

    [Fact]
    public async Task An_answer_within_the_deadline_counts()
    {
        Task<int> answer = Begin();
        _redis.SetResult(7);
        (await answer).ShouldBe(7);
    }

    [Fact]
    public async Task Without_an_answer_the_deadline_expires()
    {
        Task<int> answer = Begin();
        _time.Advance(Timeout);
        await Should.ThrowAsync<TimeoutException>(answer);
    }

    [Fact]
    public async Task A_process_that_stood_still_looks_again_before_it_gives_up()
    {
        Task<int> answer = Begin();

        _time.Advance(3 * Timeout); // its timer fires two seconds too late
        await NeverEndsAtOnceAsync(answer);
        _redis.SetResult(7); // what was there to be read all the while

        (await answer.WaitAsync(Eventually.Patience)).ShouldBe(7);
    }

    [Fact]
    public async Task An_answer_that_has_arrived_unread_is_waited_for()
    {
        Task<int> answer = Begin();
        _isUnread = true;

        _time.Advance(Timeout);
        await NeverEndsAtOnceAsync(answer);
        _redis.SetResult(7);

        (await answer.WaitAsync(Eventually.Patience)).ShouldBe(7);
    }

    [Fact]
    public async Task The_deadline_gives_one_second_chance()
    {
        Task<int> answer = Begin();
        _time.Advance(3 * Timeout);
        await NeverEndsAtOnceAsync(answer);

        await Eventually.HoldsAsync(
            () =>
            {
                _time.Advance(Timeout);
                return Task.FromResult(answer.IsCompleted);
            },
            "it is given up");

        await Should.ThrowAsync<TimeoutException>(answer);
    }

    private Task<int> Begin() => new Deadline(Timeout, _time).AnswerAsync(_redis.Task, () => _isUnread, default);

    /// <summary>What was about to end has had its turns on the thread pool by then.</summary>
    private static async Task NeverEndsAtOnceAsync(Task task)
    {
        for (int i = 0; i < 100; i++)
        {
            await Task.Yield();
            task.IsCompleted.ShouldBeFalse();
        }
    }
}
